// Package secrets leaves out of a text what may be a credential, before it is shown.
package secrets
