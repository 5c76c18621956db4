// Package bad is one whose arrows run one way.
//
// # Parts
//
//	top     roof, door, ladder
//	bottom  floor
//
// # More
//
//	none    of these
package bad
