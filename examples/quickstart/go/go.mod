module vod-quickstart

go 1.26.6

require (
	github.com/pulumi/pulumi/sdk/v3 v3.276.0
	pulumi-vod v0.0.0
)

// `make sdks` writes it.
replace pulumi-vod => ../../../build/sdks/go
