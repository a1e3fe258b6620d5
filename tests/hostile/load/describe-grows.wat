;; Its describe takes memory until there is none, and then traps.
;; is: refused
;; says: memory

(component
  (core module $m
    (memory (export "memory") 4)
    (func (export "describe") (result i32)
      (loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
      (unreachable))
  )
  (core instance $i (instantiate $m))
  (func $describe (result string)
    (canon lift (core func $i "describe") (memory (core memory $i "memory"))))
  (instance $provider (export "describe" (func $describe)))
  (export "bitrouter:provider/provider@0.1.0" (instance $provider))
)
