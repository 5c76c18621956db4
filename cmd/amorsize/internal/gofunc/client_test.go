package gofunc

import "os"

var harnesses = map[string]func(out *os.File){}
