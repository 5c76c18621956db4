package bad

type floor struct{ level int }

func (f floor) climbs() int { return door{f}.stands() }
