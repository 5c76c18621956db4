package journal

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
)

// A line is a JSON object whose last member is the checksum of everything before it: CRC-32C
// (Castagnoli), in 8 digits of hexadecimal.

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const (
	beforeSum = `,"crc":"`
	afterSum  = `"}`
	sumLength = len(beforeSum) + 8 + len(afterSum)
)

// seal completes a line, which begins at from and lacks its last brace.
func seal(line []byte, from int) []byte {
	var sum [4]byte
	binary.BigEndian.PutUint32(sum[:], crc32.Checksum(line[from:], castagnoli))
	line = append(line, beforeSum...)
	line = hex.AppendEncode(line, sum[:])
	return append(line, afterSum+"\n"...)
}

// sealObject turns a JSON object into a line of the journal, with checksum and newline.
func sealObject(object []byte) []byte {
	return seal(bytes.TrimSuffix(bytes.TrimRight(object, "\r\n"), []byte("}")), 0)
}

// unseal returns a line without its newline, and whether it has a checksum, and whether that is
// right.
func unseal(line []byte) (body []byte, sealed, right bool) {
	line = bytes.TrimRight(line, "\r\n")
	at := len(line) - sumLength
	if at < 0 || !bytes.HasPrefix(line[at:], []byte(beforeSum)) || !bytes.HasSuffix(line, []byte(afterSum)) {
		return line, false, false
	}
	var sum [4]byte
	if _, err := hex.Decode(sum[:], line[at+len(beforeSum):len(line)-len(afterSum)]); err != nil {
		return line, true, false
	}
	return line, true, binary.BigEndian.Uint32(sum[:]) == crc32.Checksum(line[:at], castagnoli)
}
