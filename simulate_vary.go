package jobeffekt

import "context"

func (s *simulation) replay(ctx context.Context) error { return nil }
func (s *simulation) vary(ctx context.Context) error   { return nil }
func (s *simulation) worlds(ctx context.Context) error { return nil }
