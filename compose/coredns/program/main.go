// Command coredns is CoreDNS with only the plugins that the lab uses, which is CoreDNS's own way
// to choose them: the imports decide what is compiled in, dnsserver.Directives in which order a
// query passes. It is built where no registry offers the published image.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"

	_ "github.com/coredns/coredns/plugin/dynupdate"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/loadbalance"
	_ "github.com/coredns/coredns/plugin/log"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/template"
	_ "github.com/coredns/coredns/plugin/tsig"
)

func init() {
	// Upstream's order (plugin.cfg). tsig comes before dynupdate: it checks the signature first.
	dnsserver.Directives = []string{
		"ready",
		"health",
		"errors",
		"log",
		"loadbalance",
		"tsig",
		"template",
		"dynupdate",
	}
}

func main() { coremain.Run() }
