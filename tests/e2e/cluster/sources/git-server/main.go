// Serves the repositories under /srv/git to readers over HTTP; Git's own program does the work.
package main

import (
	"log"
	"net/http"
	"net/http/cgi"
)

func main() {
	backend := &cgi.Handler{
		Path: "/usr/lib/git-core/git-http-backend",
		Env:  []string{"GIT_PROJECT_ROOT=/srv/git", "GIT_HTTP_EXPORT_ALL=1"},
	}
	log.Fatal(http.ListenAndServe(":8080", backend))
}
