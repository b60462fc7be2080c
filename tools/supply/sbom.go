package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// The parts of CycloneDX 1.6 that the bill of materials has. Nothing of it is drawn by
// chance: its serial number comes from what it lists.
type (
	bill struct {
		Format       string      `json:"bomFormat"`
		Spec         string      `json:"specVersion"`
		Serial       string      `json:"serialNumber"`
		Version      int         `json:"version"`
		Metadata     metadata    `json:"metadata"`
		Components   []component `json:"components"`
		Dependencies []edges     `json:"dependencies"`
	}
	metadata struct {
		Timestamp string    `json:"timestamp"`
		Component component `json:"component"`
	}
	component struct {
		Ref      string    `json:"bom-ref"`
		Type     string    `json:"type"`
		Name     string    `json:"name"`
		Version  string    `json:"version"`
		Hashes   []hash    `json:"hashes,omitempty"`
		Licences []licence `json:"licenses"`
		URL      string    `json:"purl"`
	}
	hash struct {
		Algorithm string `json:"alg"`
		Content   string `json:"content"`
	}
	licence struct {
		License struct {
			ID string `json:"id"`
		} `json:"license"`
	}
	edges struct {
		Ref string   `json:"ref"`
		On  []string `json:"dependsOn,omitempty"`
	}
)

// bill is the SBOM of a program: the modules it says it holds, with their checksums as
// go.sum has them, their licences and who imports whom.
func (r *maker) bill(name string, binary []byte, modules []*module, info *buildinfo.BuildInfo) (file, error) {
	main := describe("application", own, r.version, []string{"Apache-2.0"})
	main.Hashes = []hash{{"SHA-256", digest(binary)}}
	goes := describe("library", "std", strings.TrimPrefix(info.GoVersion, "go"), []string{"BSD-3-Clause"})
	b := bill{
		Format: "CycloneDX", Spec: "1.6", Version: 1, Components: []component{goes},
		Metadata: metadata{r.at.Format(time.RFC3339), main}, Dependencies: []edges{{main.Ref, []string{goes.Ref}}},
	}
	at := map[string]int{"": 0} // where the edges of a module are
	refs := map[string]string{}
	for i, m := range modules {
		spdx, err := m.licences()
		if err != nil {
			return file{}, err
		}
		c := describe("library", m.Path, m.Version, spdx)
		if sum, ok := strings.CutPrefix(info.Deps[i].Sum, "h1:"); ok {
			raw, err := base64.StdEncoding.DecodeString(sum)
			if err != nil {
				return file{}, fmt.Errorf("the sum of %s: %w", m.Path, err)
			}
			c.Hashes = []hash{{"SHA-256", hex.EncodeToString(raw)}}
		}
		b.Components = append(b.Components, c)
		at[m.Path], refs[m.Path] = len(b.Dependencies), c.Ref
		b.Dependencies = append(b.Dependencies, edges{Ref: c.Ref, On: []string{goes.Ref}})
	}
	for _, m := range modules {
		for _, user := range m.Users {
			if k, ok := at[user]; ok {
				b.Dependencies[k].On = append(b.Dependencies[k].On, refs[m.Path])
			}
		}
	}
	data, err := b.encode()
	if err != nil {
		return file{}, err
	}
	s := digest(data)
	// Version 8 of a UUID is for whoever makes it.
	b.Serial = fmt.Sprintf("urn:uuid:%s-%s-8%s-a%s-%s", s[:8], s[8:12], s[13:16], s[17:20], s[20:32])
	data, err = b.encode()
	return file{name: name + ".cdx.json", data: data}, err
}

func (b *bill) encode() ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	err := e.Encode(b)
	return out.Bytes(), err
}

func describe(kind, path, version string, spdx []string) component {
	url := "pkg:golang/" + path + "@" + strings.ReplaceAll(version, "+", "%2B")
	c := component{Ref: url, Type: kind, Name: path, Version: version, URL: url}
	for _, id := range spdx {
		var l licence
		l.License.ID = id
		c.Licences = append(c.Licences, l)
	}
	return c
}
