// Generate the SDKs of a package schema with Pulumi's own generators.
//
// `pulumi package gen-sdk` asks a language host for the SDK, and the module mirror serves no host of
// Node.js, Go, Python, .NET or Java. The hosts call these same functions.
//
// Two builds share this file. Each adds one folder below it, with the languages of one release of
// Pulumi: `newest`, and `older`. The module mirror serves the generators of .NET and Java in older
// releases only.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pulumi/pulumi/pkg/v3/codegen/schema"
)

const tool = "pulumi"

type generate func(*schema.Package) (map[string][]byte, error)

// The schema refers to no other package, so nothing calls the methods of its loader.
type noLoader struct{ schema.ReferenceLoader }

func main() {
	if len(os.Args) != 3 {
		fail(fmt.Errorf("usage: generator SCHEMA FOLDER"))
	}
	if err := generateAll(os.Args[1], os.Args[2]); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "error:", err)
	os.Exit(1)
}

func generateAll(file, folder string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for language, generate := range generators {
		// A generator changes the package that it is given.
		var spec schema.PackageSpec
		if err := json.Unmarshal(text, &spec); err != nil {
			return err
		}
		bound, diagnostics, err := schema.BindSpec(spec, noLoader{}, schema.ValidationOptions{})
		if err != nil {
			return err
		}
		if diagnostics.HasErrors() {
			return diagnostics
		}
		files, err := generate(bound)
		if err != nil {
			return fmt.Errorf("%s: %w", language, err)
		}
		for name, content := range files {
			target := filepath.Join(folder, language, name)
			if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(target, content, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}
