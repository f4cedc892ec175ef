package main

import (
	"bytes"
	"image"
	"image/png"
	"io"
	"net/http"

	"github.com/pulumi/pulumi-java/pkg/codegen/java"
	"github.com/pulumi/pulumi/pkg/v3/codegen/dotnet"
	"github.com/pulumi/pulumi/pkg/v3/codegen/schema"
)

var generators = map[string]generate{
	"dotnet": func(p *schema.Package) (map[string][]byte, error) {
		// The generator downloads Pulumi's logo as the icon of the package, and nothing else.
		http.DefaultTransport = noLogo{}
		return dotnet.GeneratePackage(tool, p, nil, nil)
	},
	"java": func(p *schema.Package) (map[string][]byte, error) {
		// Sources without a build file, as `pulumi package add` writes them.
		return java.GeneratePackage(tool, p, nil, nil, true, false)
	},
}

// noLogo answers each request with an empty image, without a network.
type noLogo struct{}

func (noLogo) RoundTrip(*http.Request) (*http.Response, error) {
	var icon bytes.Buffer
	if err := png.Encode(&icon, image.NewAlpha(image.Rect(0, 0, 64, 64))); err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(&icon)}, nil
}
