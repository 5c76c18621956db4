// Package policies makes the library's policies from the flags of the command line, and distinguishes kinds of
// failures.
package policies
