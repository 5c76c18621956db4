// Package amorsizeotel exports what runs do to OpenTelemetry: metrics and traces.
//
//	reader := sdkmetric.NewPeriodicReader(exporter, sdkmetric.WithProducer(amorsizeotel.Metrics()))
//	stop := amorsizeotel.Traces(tracerProvider)
//
// Metrics exports all runs of the process that begin from then on, with the other metrics of a meter provider.
// Traces makes a span of each run. [Start] is for one run whose calls are to be spans below it, and [Calls] makes
// those, by sampling.
//
// Metrics are computed when they are read, from what runs report anyway, so a call costs nothing. That takes a
// producer of the SDK, since the instruments of the API count one call at a time. Histograms are exponential, of
// scale 3. Names begin with amorsize and follow the semantic conventions: durations in seconds, error.type for the
// cause of a failed call. The attribute amorsize.run.name is the run's name (amorsize.WithName) or that of its
// function; after 100 names, others are counted as "other".
package amorsizeotel
