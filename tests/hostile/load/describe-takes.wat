;; Its describe wants to be given a number.
;; is: refused
;; says: describe

(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "describe") (param i32) (result i32) (i32.const 0)))
  (core instance $i (instantiate $m))
  (func $describe (param "n" u32) (result string) (canon lift (core func $i "describe") (memory (core memory $i "memory"))))
  (instance $p (export "describe" (func $describe)))
  (export "bitrouter:provider/provider@0.1.0" (instance $p)))
