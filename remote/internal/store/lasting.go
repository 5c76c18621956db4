package store

import (
	"errors"
	"net"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// passing are classes of PostgreSQL's temporary errors: connections, rollbacks of conflicting transactions,
// resources, a server that is being stopped or started, its disk.
var passing = []string{"08", "25", "40", "53", "55", "57", "58", "XX"}

// Lasting says that repeating a query after this error of the database will not help. That is so for an address, a
// password or a statement, and not for a server that is away or a full disk.
func Lasting(err error) bool {
	if pg, is := errors.AsType[*pgconn.PgError](err); is {
		return len(pg.Code) < 2 || !slices.Contains(passing, pg.Code[:2])
	}
	if lite, is := errors.AsType[*driver.Error](err); is {
		switch lite.Code() & 0xff {
		case lib.SQLITE_BUSY, lib.SQLITE_LOCKED, lib.SQLITE_FULL, lib.SQLITE_IOERR, lib.SQLITE_INTERRUPT, lib.SQLITE_NOMEM:
			return false
		}
		return true
	}
	dns, is := errors.AsType[*net.DNSError](err)
	return is && dns.IsNotFound
}
