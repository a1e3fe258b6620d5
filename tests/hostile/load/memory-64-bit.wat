;; Its memory has addresses of 64 bits.
;; is: refused
;; says: 

(component
  (core module $m
    (memory (export "memory") i64 1)
    (data (i32.const 16) "{\"id\": \"memory-64-bit\", \"name\": \"Corpus\", \"version\": \"1\", \"origins\": {\"api\": \"https://memory-64-bit.example/v1\"}, \"serves\": {\"generate\": [\"chat-completions\"]}}")
    (func (export "describe") (result i32) (i32.const 0))
  )
  (core instance $i (instantiate $m))
  (func $describe (result string)
    (canon lift (core func $i "describe") (memory (core memory $i "memory"))))
  (instance $provider (export "describe" (func $describe)))
  (export "bitrouter:provider/provider@0.1.0" (instance $provider))
)
