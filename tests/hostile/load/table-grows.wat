;; It makes its table larger until it cannot, and then traps.
;; is: refused
;; says: its describe

(component
  (core module $m
    (memory (export "memory") 4)
    (table $t 1 funcref)
    (func (export "describe") (result i32)
      (loop $more (br_if $more (i32.ne (table.grow $t (ref.null func) (i32.const 10000)) (i32.const -1))))
      (unreachable))
  )
  (core instance $i (instantiate $m))
  (func $describe (result string)
    (canon lift (core func $i "describe") (memory (core memory $i "memory"))))
  (instance $provider (export "describe" (func $describe)))
  (export "bitrouter:provider/provider@0.1.0" (instance $provider))
)
