{{/* Labels of every object. Helm adds app.kubernetes.io/managed-by itself. */}}
{{- define "apiclients.labels" -}}
app.kubernetes.io/part-of: apiclients
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "apiclients.operator.serviceAccountName" -}}
{{ .Values.operator.serviceAccount.name | default "apiclient-operator" }}
{{- end }}

{{- define "apiclients.gate.serviceAccountName" -}}
{{ .Values.gate.serviceAccount.name | default "apiclient-gate" }}
{{- end }}

{{/* A digest pins what runs, whatever the tag says. */}}
{{- define "apiclients.image" -}}
{{- $image := printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- with .Values.image.digest }}{{ $image = printf "%s@%s" $image . }}{{ end -}}
{{ $image }}
{{- end }}

{{- define "apiclients.keysSecret" -}}
{{ .Values.keys.existingSecret | default "apiclient-keys" }}
{{- end }}

{{/* Labels of pods and of what belongs to one program. */}}
{{- define "apiclients.programLabels" -}}
app.kubernetes.io/name: {{ index . 1 }}
{{ include "apiclients.labels" (index . 0) }}
{{- end }}

{{/* The token of a pod, whose lifetime is said here; automounting says none. */}}
{{- define "apiclients.apiAccess" -}}
name: api-access
projected:
  sources:
  - serviceAccountToken:
      path: token
      expirationSeconds: {{ .Values.serviceAccountToken.expirationSeconds }}
  - configMap:
      name: kube-root-ca.crt
      items:
      - key: ca.crt
        path: ca.crt
  - downwardAPI:
      items:
      - path: namespace
        fieldRef:
          fieldPath: metadata.namespace
{{- end }}

{{/* Whether an object of another project's kind is to be made: call it with the root, the values and the kind. */}}
{{- define "apiclients.wanted" -}}
{{- $root := index . 0 -}}{{- $values := index . 1 -}}
{{- if and $values.enabled (or (not $values.skipIfMissing) ($root.Capabilities.APIVersions.Has (index . 2))) }}true{{ end }}
{{- end }}

{{/* What both pods have in common: call it with the root, the values of one program, and more volumes. */}}
{{- define "apiclients.pod" -}}
{{- $root := index . 0 -}}{{- $values := index . 1 -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
securityContext:
  {{- $context := $root.Values.podSecurityContext }}
  {{- if $root.Values.openshift }}{{ $context = omit $context "runAsUser" "runAsGroup" "fsGroup" }}{{ end }}
  {{- toYaml $context | nindent 2 }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumes:
- {{ include "apiclients.apiAccess" $root | nindent 2 | trim }}
{{- with concat (index . 2) $values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* A PodDisruptionBudget: call it with the root, the name of the program and its values. */}}
{{- define "apiclients.podDisruptionBudget" -}}
{{- $root := index . 0 -}}{{- $name := index . 1 -}}{{- $values := index . 2 -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ $name }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "apiclients.programLabels" (list $root $name) | nindent 4 }}
spec:
  maxUnavailable: {{ $values.podDisruptionBudget.maxUnavailable }}
  # A replica that is not ready does nothing: it must not block the drain of a node.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      app.kubernetes.io/name: {{ $name }}
{{- end }}
