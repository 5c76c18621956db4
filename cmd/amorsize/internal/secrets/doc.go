// Package secrets removes possible credentials from a text before it is shown.
package secrets
