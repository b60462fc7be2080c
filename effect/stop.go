package effect

import "context"

// Stopped is nil while ctx goes on. Once ctx is done it is the error that work under
// it ends with: its text is the cause that the context was cancelled with, and errors.Is
// finds both that and context.Canceled, or context.DeadlineExceeded.
//
// What takes a context here is meant to ask for it every tenth of a second
// (docs/trust/cancel.md has what was measured), and then returns this error, no result, and no goroutine of its own still at work.
func Stopped(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil && cause != err {
		return &stopped{cause, err}
	}
	return err
}

// stopped is a cause, and that it stopped a context.
type stopped struct{ cause, err error }

func (s *stopped) Error() string   { return s.cause.Error() }
func (s *stopped) Unwrap() []error { return []error{s.cause, s.err} }
