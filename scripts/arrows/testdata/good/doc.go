// Package good is one whose arrows run one way.
//
// # Parts
//
//	top     roof, door
//	bottom  floor
//
// # More
//
//	none    of these
package good
