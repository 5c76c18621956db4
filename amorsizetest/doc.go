// Package amorsizetest simulates services that batch code calls, so that minutes of rate
// limits, congestion and outages can be tested in milliseconds.
//
// A [Service] has slots that each serve one call, a queue in front of them, a
// distribution of service times, and limits; all of these may change while it is used. It
// runs in the virtual time of [testing/synctest] and records every call in a [Timeline],
// for queries and assertions:
//
//	func TestNightlyBatch(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			service := amorsizetest.New(amorsizetest.Conditions{
//				Slots: 16, Latency: amorsizetest.Lognormal(20*time.Millisecond, 0.5), Line: 64,
//			}, 1)
//			service.At(time.Minute, amorsizetest.Conditions{Outage: amorsizetest.Refusing})
//			service.At(time.Minute+4*time.Second, service.Conditions())
//
//			batch(t.Context(), service.Call) // the code under test
//
//			service.Timeline().AssertLost(t, 0.01)
//		})
//	}
package amorsizetest
