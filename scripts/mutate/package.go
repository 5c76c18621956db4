package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// source is a package whose mistakes are to be switched.
type source struct {
	ImportPath, Name, Dir string
	GoFiles               []string

	exports map[string]string // files with the types of what it imports
	texts   map[string][]byte // of its files
	sites   []site            // numbered, by file and place
}

// load lists a package and the sites of its files. arg is how it was named.
func load(arg string) (*source, error) {
	s, err := list(arg)
	if err != nil {
		return nil, err
	}
	for _, file := range s.GoFiles {
		if s.texts[file], err = os.ReadFile(filepath.Join(s.Dir, file)); err != nil {
			return nil, err
		}
	}
	files, parsed, err := s.parse(s.texts)
	if err != nil {
		return nil, err
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}}
	of, problems := s.check(files, parsed, info)
	if len(problems) > 0 {
		return nil, problems[0]
	}
	for i, file := range slices.Sorted(maps.Keys(s.texts)) {
		f := &finder{files: files, types: info, of: of, src: s.texts[file], name: filepath.Join(arg, file)}
		f.file(parsed[i])
		s.sites = append(s.sites, f.found...)
	}
	for i := range s.sites {
		s.sites[i].id = i + 1
	}
	return s, nil
}

// list asks the go command for a package and for what it imports.
func list(arg string) (*source, error) {
	args := []string{"list", "-export", "-deps", "-json=ImportPath,Name,Dir,GoFiles,Export"}
	args = append(args, "cmp", "os", "strconv", "syscall", arg) // what helpers imports, and the package behind all that it imports
	out, err := exec.Command("go", args...).Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	s := &source{exports: map[string]string{}, texts: map[string][]byte{}}
	listed := json.NewDecoder(bytes.NewReader(out))
	for {
		var p struct {
			source
			Export string
		}
		if err := listed.Decode(&p); errors.Is(err, io.EOF) {
			return s, nil
		} else if err != nil {
			return nil, err
		}
		s.exports[p.ImportPath] = p.Export
		s.ImportPath, s.Name, s.Dir, s.GoFiles = p.ImportPath, p.Name, p.Dir, p.GoFiles
	}
}

// parse parses the files in the order of their names.
func (s *source) parse(texts map[string][]byte) (*token.FileSet, []*ast.File, error) {
	files := token.NewFileSet()
	var parsed []*ast.File
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		file, err := parser.ParseFile(files, name, texts[name], parser.SkipObjectResolution)
		if err != nil {
			return nil, nil, err
		}
		parsed = append(parsed, file)
	}
	return files, parsed, nil
}

// check finds what does not compile.
func (s *source) check(files *token.FileSet, parsed []*ast.File, info *types.Info) (*types.Package, []types.Error) {
	var problems []types.Error
	conf := types.Config{
		Importer: importer.ForCompiler(files, "gc", func(path string) (io.ReadCloser, error) { return os.Open(s.exports[path]) }),
		Error: func(err error) {
			var problem types.Error
			if errors.As(err, &problem) {
				problems = append(problems, problem)
			}
		},
	}
	of, _ := conf.Check(s.ImportPath, files, parsed, info)
	return of, problems
}

var switches = regexp.MustCompile(`mut[A-Z]\w*(?:\[[^(]*\])?\((\d+)`)

// switched returns the files with the switches of all sites that compile, and forgets the others.
func (s *source) switched() (map[string][]byte, error) {
	for {
		texts := map[string][]byte{"mutate_switches.go": fmt.Appendf(nil, helpers, s.Name, len(s.sites)+1)}
		for file, src := range s.texts {
			texts[file] = []byte(rewrite(src, s.of(file)))
		}
		files, parsed, err := s.parse(texts)
		if err != nil {
			return nil, err
		}
		_, problems := s.check(files, parsed, nil)
		if len(problems) == 0 {
			return texts, nil
		}
		for _, problem := range problems {
			at := files.Position(problem.Pos)
			if !s.drop(texts[at.Filename], at.Offset) {
				return nil, problem
			}
		}
	}
}

// drop forgets the site whose switch stands last before what does not compile, or first behind
// it. If it is another one, that is next.
func (s *source) drop(text []byte, at int) bool {
	id := 0
	for _, found := range switches.FindAllSubmatchIndex(text, -1) {
		if found[0] <= at || id == 0 {
			id, _ = strconv.Atoi(string(text[found[2]:found[3]]))
		}
	}
	for i := range s.sites {
		if id > 0 && s.sites[i].id == id {
			s.sites[i].id = 0
		}
	}
	return id > 0
}

// of returns the sites of a file that have a switch.
func (s *source) of(file string) (sites []site) {
	for _, site := range s.sites {
		if filepath.Base(site.file) == file && site.id > 0 {
			sites = append(sites, site)
		}
	}
	return sites
}
