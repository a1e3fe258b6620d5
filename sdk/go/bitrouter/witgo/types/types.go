// Package wit_types has the types of WIT that Go lacks, as wit-bindgen's bindings name them: they are made for a module that is
// fetched from elsewhere, and this one takes its place.
package wit_types

// Unit is no value.
type Unit struct{}

// The cases of an Option.
const (
	OptionNone = 0
	OptionSome = 1
)

// Option is a value that may be there.
type Option[T any] struct {
	there bool
	value T
}

// Some is a value that is there.
func Some[T any](value T) Option[T] { return Option[T]{true, value} }

// None is none.
func None[T any]() Option[T] { return Option[T]{} }

// Tag says which case it is.
func (o Option[T]) Tag() uint8 {
	if o.there {
		return OptionSome
	}
	return OptionNone
}

// Some is the value, which must be there.
func (o Option[T]) Some() T {
	if !o.there {
		panic("there is no value")
	}
	return o.value
}

// SomeOr is the value, or the other where there is none.
func (o Option[T]) SomeOr(other T) T {
	if o.there {
		return o.value
	}
	return other
}

// The cases of a Result.
const (
	ResultOk  = 0
	ResultErr = 1
)

// Result is what a call came to.
type Result[T any, E any] struct {
	failed bool
	value  T
	err    E
}

// Ok is a success.
func Ok[T any, E any](value T) Result[T, E] { return Result[T, E]{value: value} }

// Err is a failure.
func Err[T any, E any](err E) Result[T, E] { return Result[T, E]{failed: true, err: err} }

// Tag says which case it is.
func (r Result[T, E]) Tag() uint8 {
	if r.failed {
		return ResultErr
	}
	return ResultOk
}

// Ok is the value of a success.
func (r Result[T, E]) Ok() T {
	if r.failed {
		panic("it is a failure")
	}
	return r.value
}

// Err is the failure.
func (r Result[T, E]) Err() E {
	if !r.failed {
		panic("it is a success")
	}
	return r.err
}
