package strict

import (
	"encoding/json"
	"reflect"

	"github.com/invopop/jsonschema"
)

// Schema is the JSON Schema of the files that Decode reads into a value of v's
// type, for editors that check and complete YAML. special gives the schema of
// types whose text has a form of its own; nil means there are none. Decode
// checks more than a schema can say.
func Schema(title string, v any, special func(reflect.Type) *jsonschema.Schema) ([]byte, error) {
	r := jsonschema.Reflector{
		FieldNameTag: "yaml", ExpandedStruct: true, Anonymous: true,
		LookupComment: func(t reflect.Type, field string) string {
			if field == "" { // asked of the type itself
				return ""
			}
			f, _ := t.FieldByName(field)
			return f.Tag.Get("doc")
		},
	}
	r.Mapper = func(t reflect.Type) *jsonschema.Schema {
		if special != nil {
			if s := special(t); s != nil {
				return s
			}
		}
		if names := namesOf(t); names != nil {
			s := &jsonschema.Schema{Type: "string"}
			for _, name := range names {
				s.Enum = append(s.Enum, name)
			}
			return s
		}
		if t.Kind() == reflect.Map && namesOf(t.Key()) != nil {
			s := &jsonschema.Schema{Type: "object", AdditionalProperties: jsonschema.FalseSchema, Properties: jsonschema.NewProperties()}
			for _, name := range namesOf(t.Key()) {
				s.Properties.Set(name, r.Mapper(t.Elem()))
			}
			return s
		}
		if t.Kind() == reflect.Float64 {
			return &jsonschema.Schema{Type: "number"}
		}
		if t.Kind() == reflect.String {
			// A YAML 1 or 8.2 is read as the text that stands there.
			return Text("")
		}
		return nil
	}
	s := r.Reflect(v)
	s.Title = title
	out, err := json.MarshalIndent(s, "", "  ")
	return append(out, '\n'), err
}

// Text is the schema of a scalar that is read as the text that stands in the
// file, whether or not it looks like a number. An empty pattern allows all.
func Text(pattern string) *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "number"}, {Type: "string", Pattern: pattern}}}
}
