// Package clients has no code: its tests run the official clients of model APIs over a
// transport of amorsize. It is a module of its own, so that nobody else downloads them.
package clients
