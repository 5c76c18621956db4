package request

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"os"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
)

// Connection says how to connect to servers.
type Connection struct {
	Max      int    // connections to a host; 0 is no bound
	HTTP1    bool   // HTTP/2 is not offered
	CACert   string // a file of certificates that are trusted, too
	Insecure bool   // certificates are not verified
}

// secure sets how a transport connects: the protocols, and the trusted certificates.
func (c Connection) secure(t *http.Transport) error {
	config := t.TLSClientConfig
	if config == nil || c.HTTP1 { // the transport's own may already offer HTTP/2
		config = new(tls.Config)
	}
	if c.HTTP1 {
		protocols := new(http.Protocols)
		protocols.SetHTTP1(true)
		t.Protocols, t.ForceAttemptHTTP2, t.TLSNextProto = protocols, false, nil
		config.NextProtos = []string{"http/1.1"}
	}
	if c.Insecure && c.CACert != "" {
		return exit.Usagef("--insecure verifies no certificate: leave out --cacert")
	}
	if c.CACert != "" {
		roots, err := rootsWith(c.CACert)
		if err != nil {
			return err
		}
		config.RootCAs = roots
	}
	config.InsecureSkipVerify = c.Insecure
	t.TLSClientConfig = config
	return nil
}

// rootsWith returns the certificates that the system trusts, and those of a file.
func rootsWith(file string) (*x509.CertPool, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, exit.Usagef("--cacert: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, exit.Usagef("--cacert %s: the system's certificates can't be read: %w", file, err)
	}
	n := 0
	for block, rest := pem.Decode(raw); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		n++
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, exit.Usagef("--cacert %s: certificate %d: %w", file, n, err)
		}
		roots.AddCert(certificate)
	}
	if n == 0 {
		return nil, exit.Usagef("--cacert %s: it has no certificate: it must be PEM (-----BEGIN CERTIFICATE-----)", file)
	}
	return roots, nil
}
