// Command rates measures a shared limit: where there are signals.
package main
