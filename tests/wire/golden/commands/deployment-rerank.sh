curl -X POST \
-H "Content-Type: application/json" \
-H "Authorization: Bearer Your API Key" \
-H "Token: Replace with service deployment Token" \
"http://xxxxxx.opensearch.aliyuncs.com/v3/openapi/xxxxxx" \
-d '{
"query": "opensearch product documentation",
"docs": [
"opensearch product documentation",
"elasticsearch product documentation"
]
}'
