;; It says twice where it sends; whoever reads the first and whoever reads the last see two things.
;; is: served
;; says: member-twice

(component
  (core module $m
    (memory (export "memory") 4)
    (data (i32.const 16) "{\"id\":\"member-twice\",\"name\":\"Twice\",\"version\":\"1\",\"origins\":{\"api\":\"https://first.example\"},\"origins\":{\"api\":\"https://last.example\"},\"serves\":{\"generate\":[\"chat-completions\"]}}")
    ;; The text ends at the first zero byte.
    (func (export "describe") (result i32)
      (local $n i32)
      (block $end
        (loop $next
          (br_if $end (i32.eqz (i32.load8_u offset=16 (local.get $n))))
          (local.set $n (i32.add (local.get $n) (i32.const 1)))
          (br $next)))
      (i32.store (i32.const 0) (i32.const 16))
      (i32.store (i32.const 4) (local.get $n))
      (i32.const 0))
  )
  (core instance $i (instantiate $m))
  (func $describe (result string)
    (canon lift (core func $i "describe") (memory (core memory $i "memory"))))
  (instance $provider (export "describe" (func $describe)))
  (export "bitrouter:provider/provider@0.1.0" (instance $provider))
)
