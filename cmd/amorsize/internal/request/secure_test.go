package request

import (
	"crypto/tls"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// Only HTTP/1.1 is offered where that is asked for, and what a transport offers is left alone otherwise.
func TestWhichProtocolsAreOffered(t *testing.T) {
	own := &tls.Config{NextProtos: []string{"h2", "http/1.1"}, ServerName: "own"}
	for _, had := range []*tls.Config{nil, own} {
		transport := &http.Transport{TLSClientConfig: had, ForceAttemptHTTP2: true}
		require.NoError(t, Connection{HTTP1: true}.secure(transport))
		require.Equal(t, []string{"http/1.1"}, transport.TLSClientConfig.NextProtos)
		require.False(t, transport.ForceAttemptHTTP2)
		require.True(t, transport.Protocols.HTTP1())
		require.False(t, transport.Protocols.HTTP2())

		transport = &http.Transport{TLSClientConfig: had, ForceAttemptHTTP2: true}
		require.NoError(t, Connection{}.secure(transport))
		require.True(t, transport.ForceAttemptHTTP2)
		require.Nil(t, transport.Protocols)
		if had != nil {
			require.Equal(t, own.NextProtos, transport.TLSClientConfig.NextProtos)
		}
	}
	require.Equal(t, []string{"h2", "http/1.1"}, own.NextProtos, "a transport's own is not changed")
	require.Error(t, Connection{Insecure: true, CACert: "any"}.secure(new(http.Transport)))
}

// Statuses are numbers and ranges from 100 to 599, in their order.
func TestWhichStatusesAreOK(t *testing.T) {
	for text, want := range map[string][][2]int{
		"200": {{200, 200}}, "100-599": {{100, 599}}, "200-299, 404": {{200, 299}, {404, 404}}, "204-204": {{204, 204}},
	} {
		got, err := parseStatuses(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "99", "600", "99-200", "500-600", "300-200", "x", "200-x", "x-299", "200,", "200-"} {
		_, err := parseStatuses(text)
		require.Error(t, err, text)
	}
}
