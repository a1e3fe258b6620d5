;; Its describe calls itself until the stack is used up.
;; is: refused
;; says: stack

(component
  (core module $m
    (memory (export "memory") 4)
    (func $f (export "describe") (result i32) (i32.add (call $f) (i32.const 1)))
  )
  (core instance $i (instantiate $m))
  (func $describe (result string)
    (canon lift (core func $i "describe") (memory (core memory $i "memory"))))
  (instance $provider (export "describe" (func $describe)))
  (export "bitrouter:provider/provider@0.1.0" (instance $provider))
)
