package good

type roof struct{ door }

func (r roof) rests() int { return r.stands() + r.of.level }
