package transport

func scarce(error) bool { return false }
