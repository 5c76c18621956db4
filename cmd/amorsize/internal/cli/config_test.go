package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// configuration writes the user's file and the directory's, and sets the variable; "" is none.
func configuration(t *testing.T, user, dir, variable string) (userFile string) {
	t.Helper()
	home(t)
	config, err := os.UserConfigDir()
	require.NoError(t, err)
	userFile = filepath.Join(config, "amorsize", "config")
	for path, text := range map[string]string{userFile: user, ".amorsize": dir} {
		if text != "" {
			write(t, path, text)
		}
	}
	t.Setenv("AMORSIZE_OPTS", variable)
	return userFile
}

// What is nearer to the command line comes later, so that it counts.
func TestConfigurationComesBeforeTheCommandLine(t *testing.T) {
	configuration(t, "\ufeff--retries 1\n# --retries=9\n\n --out status\r\n", "--retries=2", " --retries=3   --order ")
	args, err := withDefaults(newRoot(), []string{"http", "--retries=4", "u"})
	require.NoError(t, err)
	require.Equal(t, strings.Fields("http --retries=1 --out=status --retries=2 --retries=3 --order --retries=4 u"), args)
	for _, name := range []string{"run", "exec"} {
		args, err = withDefaults(newRoot(), []string{name})
		require.NoError(t, err)
		require.Equal(t, name, args[0])
		require.Contains(t, args, "--retries=3")
	}
	for _, line := range []string{"", "profile -- x", "retry l", "--retries"} {
		args, err = withDefaults(newRoot(), strings.Fields(line))
		require.NoError(t, err)
		require.Equal(t, strings.Fields(line), args, "it has no configuration")
	}
}

func TestNoConfiguration(t *testing.T) {
	configuration(t, "", "", "")
	args, err := withDefaults(newRoot(), []string{"run", "-k", "--", "x"})
	require.NoError(t, err)
	require.Equal(t, []string{"run", "-k", "--", "x"}, args)
}

// Whose file, which line and which flag is wrong is told.
func TestConfigurationThatIsWrong(t *testing.T) {
	for text, c := range map[string][3]string{
		`amorsize/config line 2: no command has a flag "--retriess"`:                    {"--retries=1\n--retriess=2", "", ""},
		`.amorsize line 3: "jobs 2" is not a flag: write --name or --name=value`:        {"", "#\n\njobs 2", ""},
		`.amorsize line 1: "-j" is not a flag`:                                          {"", "-j 2", ""}, // the line is shown whole
		`.amorsize line 1: "--sh" can't be set by a directory's file: it may set only`:  {"", "--sh=x", ""},
		`AMORSIZE_OPTS word 2: no command has a flag "--jbos"`:                          {"", "", "--jobs=1 --jbos=2"},
		`AMORSIZE_OPTS word 2: "2" is not a flag`:                                       {"", "", "--jobs 2"},
		`.amorsize line 1: "--arg-file" can't be set by a directory's file: it may set`: {"", "--arg-file=/etc/passwd", ""},
	} {
		configuration(t, c[0], c[1], c[2])
		got := typed(t, "", "run", "--", "x")
		require.Equal(t, 2, got.status, text)
		if strings.HasPrefix(text, `.amorsize line 1: "-j"`) {
			text = `.amorsize line 1: "-j 2" is not a flag`
		}
		require.Contains(t, filepath.ToSlash(got.err), text)
	}
}

// A file that nobody may read is none; what is no file is told, since a FIFO would never end.
func TestConfigurationThatIsNoFile(t *testing.T) {
	user := configuration(t, "", "", "")
	require.NoError(t, os.Mkdir(".amorsize", 0o700))
	_, err := withDefaults(newRoot(), []string{"run"})
	require.EqualError(t, err, "can't read the configuration: .amorsize is not a file")
	require.Equal(t, 2, typed(t, "", "run", "--", "x").status)
	require.NoError(t, os.Remove(".amorsize"))
	require.NoError(t, os.MkdirAll(user, 0o700))
	_, err = withDefaults(newRoot(), []string{"run"})
	require.EqualError(t, err, "can't read the configuration: "+user+" is not a file")
	require.NoError(t, os.Remove(user))
	write(t, user, "--retriess")
	if os.Geteuid() != 0 {
		require.NoError(t, os.Chmod(user, 0))
		_, err = withDefaults(newRoot(), []string{"run"})
		require.NoError(t, err)
	}
}

// Without a home there is no user's file: the directory's counts all the same.
func TestConfigurationWithoutAHome(t *testing.T) {
	configuration(t, "", "--retries=2", "")
	for _, name := range []string{"HOME", "XDG_CONFIG_HOME", "AppData"} {
		t.Setenv(name, "")
	}
	write(t, filepath.Join("amorsize", "config"), "--retries=9") // where the file would be, of no directory
	args, err := withDefaults(newRoot(), []string{"run"})
	require.NoError(t, err)
	require.Equal(t, []string{"run", "--retries=2"}, args)
}

// --show-config shows where each flag comes from, the strongest last, and runs nothing.
func TestShowConfig(t *testing.T) {
	user := configuration(t, "--retries=1", "--jobs 2\n--max-conns=4", "--order --cookie=secret=1 --max-conns=3")
	got := typed(t, "", "run", "--show-config", "-q", "--halt=3", "--", "touch", "-x", "--show-config")
	require.Equal(t, 0, got.status)
	require.Empty(t, got.err)
	require.Equal(t, []string{user, "--retries=1", ".amorsize", "--jobs=2", "AMORSIZE_OPTS", "--order", "command", "line", "-q", "command", "line", "--halt=3",
		"command", "line", "-x", "command", "line", "--show-config"}, strings.Fields(got.out))
	require.Contains(t, got.out, "\n.amorsize                    --jobs=2\n")
	got = typed(t, "", "http", "--show-config", "u")
	require.Contains(t, got.out, "--max-conns=4\n")
	require.NotContains(t, got.out, "secret=1")
}

func TestCutFlag(t *testing.T) {
	for line, want := range map[string][3]string{
		"--a":           {"--a", "", "no"},
		"--a=":          {"--a", "", "has"},
		"--a=b":         {"--a", "b", "has"},
		"--a b":         {"--a", "b", "has"},
		"--a \t = \t b": {"--a", "b", "has"},
		"--a==b":        {"--a", "=b", "has"},
		"--a b=c d":     {"--a", "b=c d", "has"},
		"=b":            {"", "b", "has"}, // no flag, as what follows says
		" b":            {"", "b", "has"},
	} {
		name, value, has := cutFlag(line)
		require.Equal(t, want, [3]string{name, value, map[bool]string{true: "has", false: "no"}[has]}, "%q", line)
	}
}

func TestWithoutShow(t *testing.T) {
	for line, want := range map[string]string{
		"--show-config": "", "--show-config -k": "-k", "-k --show-config": "-k", "--show-config --": "--", "--show-config -- --show-config": "-- --show-config",
	} {
		own, show := withoutShow(strings.Fields(line))
		require.True(t, show, line)
		require.Equal(t, strings.Fields(want), own, line)
	}
	for _, line := range []string{"", "-k", "-- --show-config", "--"} {
		own, show := withoutShow(strings.Fields(line))
		require.False(t, show, line)
		require.Equal(t, strings.Fields(line), own, line)
	}
}
