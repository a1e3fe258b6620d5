;; A core module: the encoding of a component is missing.
;; is: refused
;; says: core WebAssembly module

(module)
