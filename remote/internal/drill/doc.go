// Command drill has processes that work killed, again and again, and compares what came of their items: where there
// are signals.
package main
