// Package amorsizeotel exports what runs do to OpenTelemetry: metrics and traces.
//
//	reader := sdkmetric.NewPeriodicReader(exporter, sdkmetric.WithProducer(amorsizeotel.Metrics()))
//	stop := amorsizeotel.Traces(tracerProvider)
//
// The first has the metrics of all runs of the process that begin from then on be read with the
// others of a meter provider; the second makes a span of each. [Start] is for one run whose calls
// are to be spans below it, and [Calls] makes those, by sampling.
//
// Metrics are made when they are read, of what runs have told of themselves, so that a call costs
// nothing: that takes a producer of the SDK, since the instruments of the API count one call at a
// time. Histograms are exponential ones, of scale 3. Their names, all below amorsize, follow the
// semantic conventions: durations in seconds, error.type for what a call failed of. The attribute
// amorsize.run.name is the run's name (amorsize.WithName) or that of its function; after 100
// names, others are counted as "other".
package amorsizeotel
