module bitrouter

go 1.25
