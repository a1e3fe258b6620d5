;; It says what is no JSON.
;; is: refused
;; says: not valid

(component
  (core module $m
    (memory (export "memory") 4)
    (data (i32.const 16) "a provider")
    (func (export "describe") (result i32)
      (i32.store (i32.const 0) (i32.const 16))
      (i32.store (i32.const 4) (i32.const 10))
      (i32.const 0))
  )
  (core instance $i (instantiate $m))
  (func $describe (result string)
    (canon lift (core func $i "describe") (memory (core memory $i "memory"))))
  (instance $provider (export "describe" (func $describe)))
  (export "bitrouter:provider/provider@0.1.0" (instance $provider))
)
