;; It says objects in objects, deeper than anybody reads.
;; is: refused
;; says: recursion limit

(component
  (core module $m
    (memory (export "memory") 4)
    (func (export "describe") (result i32)
      (local $n i32)
      (loop $next
        ;; {"a":
        (i64.store offset=16 (i32.mul (local.get $n) (i32.const 5)) (i64.const 0x3a2261227b))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $n) (i32.const 10000))))
      (i32.store (i32.const 0) (i32.const 16))
      (i32.store (i32.const 4) (i32.const 50000))
      (i32.const 0))
  )
  (core instance $i (instantiate $m))
  (func $describe (result string)
    (canon lift (core func $i "describe") (memory (core memory $i "memory"))))
  (instance $provider (export "describe" (func $describe)))
  (export "bitrouter:provider/provider@0.1.0" (instance $provider))
)
