// Package policies makes the library's policies of what was written on the command
// line, and tells kinds of failures apart.
package policies
