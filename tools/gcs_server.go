// The GCS server of the tests: fake-gcs-server, and the parts of the service's XML API that the
// journal's library needs and fake-gcs-server lacks.
//
// Usage: gcs-server ADDRESS READ_ONLY_ADDRESS
//
// The second address refuses writes: the engine sends no credentials to an emulator.
package main

import (
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/fsouza/fake-gcs-server/fakestorage"
)

const condition = "X-Goog-If-Generation-Match"

func main() {
	address, readOnlyAddress := os.Args[1], os.Args[2]
	// Without a listener of its own, the server keeps the objects in memory.
	server, err := fakestorage.NewServerWithOptions(fakestorage.Options{
		NoListener:  true,
		PublicHost:  address,
		ExternalURL: "http://" + address,
	})
	if err != nil {
		log.Fatal(err)
	}
	objects := server.HTTPHandler()
	all := http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		request.Host = address
		bucket, object, hasObject := strings.Cut(strings.TrimPrefix(request.URL.Path, "/"), "/")
		if isXML(bucket) {
			if _, err := server.Backend().GetBucket(bucket); err != nil {
				refuse(answer, http.StatusNotFound, "NoSuchBucket")
				return
			}
			if request.Method == http.MethodPut && hasObject {
				// The library refuses an answer without an ETag, and ignores its value.
				answer.Header().Set("ETag", `"uploaded"`)
				request = upload(request, bucket, object)
			}
		}
		objects.ServeHTTP(answer, request)
	})
	reads := http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		if request.Method != http.MethodGet && request.Method != http.MethodHead {
			refuse(answer, http.StatusForbidden, "AccessDenied")
			return
		}
		all(answer, request)
	})
	go func() { log.Fatal(http.ListenAndServe(readOnlyAddress, reads)) }()
	log.Fatal(http.ListenAndServe(address, all))
}

// isXML returns whether a path that starts with a name is of the XML API. All others have the
// prefix of the JSON API.
func isXML(name string) bool {
	return name != "storage" && name != "upload" && name != "download" && name != "batch"
}

// upload returns the request of the JSON API for an upload of the XML API.
func upload(request *http.Request, bucket, object string) *http.Request {
	query := url.Values{"uploadType": {"media"}, "name": {object}}
	if generation := request.Header.Get(condition); generation != "" {
		query.Set("ifGenerationMatch", generation)
	}
	request.Method = http.MethodPost
	request.URL = &url.URL{
		Path:     "/upload/storage/v1/b/" + bucket + "/o",
		RawQuery: query.Encode(),
	}
	return request
}

// refuse answers with an error of the XML API.
func refuse(answer http.ResponseWriter, status int, code string) {
	answer.Header().Set("Content-Type", "application/xml")
	answer.WriteHeader(status)
	fmt.Fprintf(answer, "<Error><Code>%s</Code></Error>", code)
}
