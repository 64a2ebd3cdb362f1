// What Argo CD and Flux make of objects: runs a health script as Argo CD does (gopher-lua, with the few libraries that
// it opens) and health expressions as Flux does (cel-go, RFC 0009). Reads one JSON request, writes one JSON answer.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/ext"
	lua "github.com/yuin/gopher-lua"
)

type request struct {
	Lua         string                 `json:"lua"`
	Expressions map[string]expressions `json:"expressions"`
	Objects     []map[string]any       `json:"objects"`
}

// expressions of one kind, as in spec.healthCheckExprs of a Flux Kustomization.
type expressions struct {
	InProgress string `json:"inProgress"`
	Failed     string `json:"failed"`
	Current    string `json:"current"`
}

type verdict struct {
	ArgoCD  string `json:"argocd"`
	Message string `json:"message"`
	Flux    string `json:"flux"`
}

func main() {
	if err := answer(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func answer() error {
	var asked request
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		return err
	}
	verdicts := make([]verdict, 0, len(asked.Objects))
	for _, object := range asked.Objects {
		found, err := judge(asked, object)
		if err != nil {
			return fmt.Errorf("%v: %w", object["metadata"], err)
		}
		verdicts = append(verdicts, found)
	}
	return json.NewEncoder(os.Stdout).Encode(verdicts)
}

func judge(asked request, object map[string]any) (verdict, error) {
	health, message, err := argocd(asked.Lua, object)
	if err != nil {
		return verdict{}, fmt.Errorf("Lua: %w", err)
	}
	kind, _ := object["kind"].(string)
	of, there := asked.Expressions[kind]
	if !there {
		return verdict{}, fmt.Errorf("no expressions for kind %q", kind)
	}
	status, err := flux(of, object)
	if err != nil {
		return verdict{}, fmt.Errorf("CEL: %w", err)
	}
	return verdict{ArgoCD: health, Message: message, Flux: status}, nil
}

// argocd runs a script in the sandbox of Argo CD: base, package and table only, for at most a second.
func argocd(script string, object map[string]any) (string, string, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	libraries := map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage, lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable,
	}
	for name, open := range libraries {
		call := lua.P{Fn: state.NewFunction(open), NRet: 0, Protect: true}
		if err := state.CallByParam(call, lua.LString(name)); err != nil {
			return "", "", err
		}
	}
	limit, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	state.SetContext(limit)
	state.SetGlobal("obj", toLua(state, object))
	if err := state.DoString(script); err != nil {
		return "", "", err
	}
	result, isTable := state.Get(-1).(*lua.LTable)
	if !isTable {
		return "", "", errors.New("the script returned no table")
	}
	return lua.LVAsString(result.RawGetString("status")), lua.LVAsString(result.RawGetString("message")), nil
}

func toLua(state *lua.LState, value any) lua.LValue {
	switch given := value.(type) {
	case bool:
		return lua.LBool(given)
	case float64:
		return lua.LNumber(given)
	case string:
		return lua.LString(given)
	case []any:
		list := state.NewTable()
		for _, item := range given {
			list.Append(toLua(state, item))
		}
		return list
	case map[string]any:
		table := state.NewTable()
		for key, item := range given {
			table.RawSetString(key, toLua(state, item))
		}
		return table
	}
	return lua.LNil
}

// flux evaluates in the order of RFC 0009: a generation that is not observed, inProgress, failed, current, else InProgress.
func flux(of expressions, object map[string]any) (string, error) {
	if !observed(object) {
		return "InProgress", nil
	}
	for _, one := range []struct{ expression, status string }{
		{of.InProgress, "InProgress"}, {of.Failed, "Failed"}, {of.Current, "Current"},
	} {
		if one.expression == "" {
			continue
		}
		holds, err := evaluate(one.expression, object)
		if err != nil {
			return "", err
		}
		if holds {
			return one.status, nil
		}
	}
	return "InProgress", nil
}

func observed(object map[string]any) bool {
	status, _ := object["status"].(map[string]any)
	metadata, _ := object["metadata"].(map[string]any)
	generation, there := status["observedGeneration"]
	return !there || generation == metadata["generation"]
}

func evaluate(expression string, object map[string]any) (bool, error) {
	environment, err := cel.NewEnv(
		cel.HomogeneousAggregateLiterals(), cel.EagerlyValidateDeclarations(true), cel.DefaultUTCTimeZone(true),
		cel.CrossTypeNumericComparisons(true), cel.OptionalTypes(), ext.Strings(), ext.Sets(), ext.Encoders(),
	)
	if err != nil {
		return false, err
	}
	parsed, issues := environment.Parse(expression) // not compiled: the fields of an object are not declared
	if issues.Err() != nil {
		return false, issues.Err()
	}
	program, err := environment.Program(parsed)
	if err != nil {
		return false, err
	}
	value, _, err := program.Eval(object)
	if err != nil {
		return false, err
	}
	holds, isBool := value.Value().(bool)
	if !isBool {
		return false, fmt.Errorf("%q gives %v", expression, value)
	}
	return holds, nil
}
