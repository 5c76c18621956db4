package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/amorsize/amorsize/internal/modelservice"
)

// serveSecure starts the same service at $TLS, by a certificate that nobody trusts and
// that is in ca.pem; other.pem has one of somebody else. It sets cookies as well.
func serveSecure(env *testscript.Env, mux *http.ServeMux) {
	mux.HandleFunc("/set/{name}/{value}", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: r.PathValue("name"), Value: r.PathValue("value"), Path: "/"})
		if to := r.URL.Query().Get("to"); to != "" {
			http.Redirect(w, r, to, http.StatusSeeOther)
		}
	})
	server := httptest.NewUnstartedServer(mux)
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that do not trust it
	server.StartTLS()
	env.Defer(server.Close)
	env.Setenv("TLS", server.URL)
	for name, raw := range map[string][]byte{"ca.pem": server.Certificate().Raw, "other.pem": certificate()} {
		block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
		if err := os.WriteFile(filepath.Join(env.WorkDir, name), block, 0o600); err != nil {
			panic(err)
		}
	}
}

// serveModels starts a service of models at $MODELS, one that is always overloaded at $BUSY,
// and one of two requests a second at $SLOW.
func serveModels(env *testscript.Env) {
	for name, cfg := range map[string]modelservice.Config{
		"MODELS": {}, "BUSY": {Overloaded: 1}, "SLOW": {RequestsPerMinute: 6000, Burst: 10 * time.Millisecond, Unannounced: true},
	} {
		server := httptest.NewServer(modelservice.New(cfg))
		env.Defer(server.Close)
		env.Setenv(name, server.URL)
	}
}

func certificate() []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	raw, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return raw
}

// serveLarge has bodies of about so many bytes: JSON with space in it, text, and neither.
func serveLarge(mux *http.ServeMux) {
	body := func(kind string, size int) string {
		switch kind {
		case "json":
			return "{ \"a\": [\n" + strings.Repeat(" 1,\n", size/4) + " 2 ],\r\n\t\"b\": \"c  \\\" d\" }\n"
		case "text":
			return strings.Repeat("<ü>\n", size/5)
		}
		return strings.Repeat("\xff\x00\x01", size/3)
	}
	mux.HandleFunc("/large/{kind}/{size}", func(w http.ResponseWriter, r *http.Request) {
		size, _ := strconv.Atoi(r.PathValue("size"))
		_, _ = io.WriteString(w, body(r.PathValue("kind"), size))
	})
	var cut atomic.Int64
	mux.HandleFunc("/torn/{size}", func(w http.ResponseWriter, r *http.Request) { // every first time, the body breaks off
		size, _ := strconv.Atoi(r.PathValue("size"))
		text := body("json", size)
		if w.Header().Set("Content-Length", strconv.Itoa(len(text))); cut.Add(1)%2 == 1 {
			_, _ = io.WriteString(w, text[:len(text)/2])
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, text)
	})
}
