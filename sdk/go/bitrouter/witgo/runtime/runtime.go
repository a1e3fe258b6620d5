// Package runtime is what wit-bindgen's bindings take memory and handles from: they are made for a module that is fetched from
// elsewhere, and this one takes its place.
package runtime

import (
	goruntime "runtime"
	"unsafe"
)

// Handle is one of a resource; 0 is none.
type Handle struct{ value int32 }

// MakeHandle takes a handle that is one.
func MakeHandle(value int32) *Handle {
	if value == 0 {
		panic("no handle")
	}
	return &Handle{value}
}

// Use is its number.
func (h *Handle) Use() int32 {
	if h.value == 0 {
		panic("the handle was given away")
	}
	return h.value
}

// Take gives it away.
func (h *Handle) Take() int32 {
	value := h.Use()
	h.value = 0
	return value
}

// Set fills an empty one.
func (h *Handle) Set(value int32) {
	if value == 0 || h.value != 0 {
		panic("the handle is set")
	}
	h.value = value
}

// TakeOrNil gives it away, if it is there.
func (h *Handle) TakeOrNil() int32 {
	value := h.value
	h.value = 0
	return value
}

// Allocate takes memory that stays where it is until the pinner lets go of it.
func Allocate(pinner *goruntime.Pinner, size, align uintptr) unsafe.Pointer {
	if size == 0 {
		return nil
	}
	var pointer unsafe.Pointer
	switch align {
	case 1:
		pointer = unsafe.Pointer(unsafe.SliceData(make([]uint8, size)))
	case 2:
		pointer = unsafe.Pointer(unsafe.SliceData(make([]uint16, size/2)))
	case 4:
		pointer = unsafe.Pointer(unsafe.SliceData(make([]uint32, size/4)))
	default:
		pointer = unsafe.Pointer(unsafe.SliceData(make([]uint64, (size+7)/8)))
	}
	pinner.Pin(pointer)
	return pointer
}

// Arguments come before Go's runtime is up, as those of the first call do; then memory is the runtime's own, from below.
//
//go:linkname sbrk runtime.sbrk
func sbrk(size uintptr) unsafe.Pointer

var (
	isUp      bool
	arguments goruntime.Pinner
)

func init() { isUp = true }

// Unpin lets go of the arguments of the call that has ended.
func Unpin() { arguments.Unpin() }

//go:wasmimport wasi_snapshot_preview1 adapter_monotonic_clock_set_paused
func pauseClock(paused bool)

//go:wasmexport cabi_realloc
func cabiRealloc(old unsafe.Pointer, oldSize, align, size uintptr) unsafe.Pointer {
	if old != nil || oldSize != 0 {
		panic("memory of arguments does not grow")
	}
	if !isUp {
		start := uintptr(sbrk(size + align))
		return unsafe.Pointer((start + align - 1) &^ (align - 1))
	}
	// The collector looks at the clock, and nothing outside may be called from here: the adapter answers from what it knows.
	pauseClock(true)
	pointer := Allocate(&arguments, size, align)
	pauseClock(false)
	return pointer
}
