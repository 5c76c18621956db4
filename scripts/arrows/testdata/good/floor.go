package good

type floor struct{ level int }
