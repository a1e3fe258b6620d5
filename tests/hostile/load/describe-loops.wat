;; Its describe never ends.
;; is: refused
;; says: CPU time

(component
  (core module $m
    (memory (export "memory") 4)
    (func (export "describe") (result i32) (loop $l (br $l)) (unreachable))
  )
  (core instance $i (instantiate $m))
  (func $describe (result string)
    (canon lift (core func $i "describe") (memory (core memory $i "memory"))))
  (instance $provider (export "describe" (func $describe)))
  (export "bitrouter:provider/provider@0.1.0" (instance $provider))
)
