;; It wants an interface of the host that there is not.
;; is: refused
;; says: bitrouter:host/secrets

(component
  (import "bitrouter:host/secrets@0.1.0" (instance (export "all" (func (result string)))))
  (instance $p)
  (export "bitrouter:provider/provider@0.1.0" (instance $p)))
