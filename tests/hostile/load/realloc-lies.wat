;; Its realloc says that there is room behind its memory.
;; is: refused
;; says: its describe

(component
  (import "wasi:random/random@0.2.0" (instance $random
    (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))
  (core module $memory
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65530)))
  (core instance $memory (instantiate $memory))
  (core func $random (canon lower (func $random "get-random-bytes")
    (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
  (core module $m
    (import "host" "random" (func $random (param i64 i32)))
    (func (export "describe") (result i32)
      (call $random (i64.const 1024) (i32.const 32))
      (i32.const 0)))
  (core instance $i (instantiate $m (with "host" (instance (export "random" (func $random))))))
  (func $describe (result string)
    (canon lift (core func $i "describe") (memory (core memory $memory "memory"))))
  (instance $provider (export "describe" (func $describe)))
  (export "bitrouter:provider/provider@0.1.0" (instance $provider)))
