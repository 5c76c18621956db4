package bad

type door struct{ of floor }

func (d door) stands() int {
	top := roof{}
	return d.of.level + top.of.level
}
