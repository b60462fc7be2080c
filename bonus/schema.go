package bonus

import (
	"fmt"
	"reflect"

	"github.com/invopop/jsonschema"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/internal/strict"
)

//go:generate go test -run ^TestSchemaIsCurrent$ . -update

// Schema is the JSON Schema of a terms file, made from the types, for editors
// that check and complete YAML. ParseTerms checks more than a schema can say.
func Schema() ([]byte, error) {
	return strict.Schema("Terms of a results bonus", &Terms{}, func(t reflect.Type) *jsonschema.Schema {
		switch t {
		case reflect.TypeFor[effect.Date]():
			return &jsonschema.Schema{Type: "string", Format: "date"}
		case reflect.TypeFor[effect.Span]():
			return strict.Text(`^[0-9]+ (day|week|month|year)s?$`)
		case reflect.TypeFor[effect.Period]():
			return strict.Text(`^[0-9]{4}(H[12]|Q[1-4]|-(0[1-9]|1[0-2]))?$`)
		case reflect.TypeFor[Ore]():
			return strict.Text(`^[0-9]+(\.[0-9]{1,2})?$`)
		case reflect.TypeFor[Operand]():
			return strict.Text(fmt.Sprintf(`^(-?[0-9]+(\.[0-9]{1,%d})?|[A-Za-z][A-Za-z0-9_-]*)$`, maxDecimals))
		case reflect.TypeFor[Slope]():
			return strict.Text(fmt.Sprintf(`^(-?[0-9]+(\.[0-9]{1,%d})?|%s)$`, maxDecimals, BudgetNeutral))
		case reflect.TypeFor[Decimal]():
			return strict.Text(fmt.Sprintf(`^[0-9]+(\.[0-9]{1,%d})?$`, maxDecimals))
		}
		return nil
	})
}
