// Command rates makes processes call under one shared limit, and counts: whether they keep to the rate, how often
// they query the database, and what that costs.
//
//	rates -on URL -rate 5000 -processes 4 -for 8s [-outage "stop command" -back "start command"]
//
// It needs signals: elsewhere it is empty.
package main
