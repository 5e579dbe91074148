// The three programs of Argo CD's core install in one, which is what it is called. Without the API server, the command
// line and the notifications there is a third less to compile.
package main

import (
	"log"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	controller "github.com/argoproj/argo-cd/v3/cmd/argocd-application-controller/commands"
	sets "github.com/argoproj/argo-cd/v3/cmd/argocd-applicationset-controller/commands"
	server "github.com/argoproj/argo-cd/v3/cmd/argocd-repo-server/commands"
)

func main() {
	var command *cobra.Command
	switch name := filepath.Base(os.Args[0]); name {
	case "argocd-application-controller":
		command = controller.NewCommand()
	case "argocd-applicationset-controller":
		command = sets.NewCommand()
	case "argocd-repo-server":
		command = server.NewCommand()
	default:
		log.Fatalf("%s is not among the programs of the core install", name)
	}
	if err := command.Execute(); err != nil {
		os.Exit(1)
	}
}
